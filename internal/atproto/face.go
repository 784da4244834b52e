package atproto

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/store"
)

// The bounds of pictures. Lexicon app.bsky.actor.profile allows an avatar of
// 1,000,000 bytes, which is under outbound.MaxBody.
const (
	facePixels = 16_000_000 // of all that are being decoded: 64 MB
	faceSize   = 96         // of the square that a picture is made to fit
)

// newFace fetches the picture of a profile from the person's own server and
// makes it small. It is nil where there is none, or where it is kept already.
// Pictures are fetched at sign-in and at no other time, so no reader makes us
// ask anybody for anything.
func (s *Service) newFace(ctx context.Context, account *identity.Identity, avatar string) (*store.Face, error) {
	if avatar == "" || len(avatar) > 200 {
		return nil, nil
	}
	kept, err := s.store.FaceSource(ctx, account.DID.String())
	if err != nil || kept == avatar {
		return nil, err
	}
	answer, err := s.ask(ctx, account, "com.atproto.sync.getBlob", url.Values{"did": {account.DID.String()}, "cid": {avatar}})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	data, err := io.ReadAll(answer.Body) // bounded by outbound
	if err != nil {
		return nil, err
	}
	picture, err := s.pictures.Fit(ctx, data, faceSize)
	if err != nil {
		return nil, err
	}
	return &store.Face{Source: avatar, MIME: picture.MIME, Data: picture.Data}, nil
}

// keepFace stores what a profile shows. A picture that could not be fetched
// leaves the one before, one that was taken out of the profile is forgotten.
// It may fail: the person is signed in all the same.
func (s *Service) keepFace(ctx context.Context, did string, p profile) {
	var err error
	switch {
	case p.face != nil:
		err = s.store.SetFace(ctx, did, *p.face)
	case p.read && p.avatar == "":
		err = s.store.DropFace(ctx, did)
	}
	if err != nil {
		s.log.Error("atproto: keep picture", "did", did, "err", err)
	}
}
