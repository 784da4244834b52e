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
	avatarPixels = 16_000_000 // of all that are being decoded: 64 MB
	avatarSize   = 96         // of the square that a picture is made to fit
)

// newAvatar fetches the picture of a profile from the person's own server and
// makes it small. It is nil where there is none, or where it is kept already.
// Pictures are fetched at sign-in and at no other time, so no reader makes us
// ask anybody for anything.
func (s *Service) newAvatar(ctx context.Context, account *identity.Identity, avatar string) (*store.Avatar, error) {
	if avatar == "" || len(avatar) > 200 {
		return nil, nil
	}
	kept, err := s.store.AvatarSource(ctx, account.DID.String())
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
	picture, err := s.pictures.Fit(ctx, data, avatarSize)
	if err != nil {
		return nil, err
	}
	return &store.Avatar{Source: avatar, MIME: picture.MIME, Data: picture.Data}, nil
}

// keepAvatar stores what a profile shows. A picture that could not be fetched
// leaves the one before, one that was taken out of the profile is forgotten.
// It may fail: the person is signed in all the same.
func (s *Service) keepAvatar(ctx context.Context, did string, p profile) {
	var err error
	switch {
	case p.avatar != nil:
		err = s.store.SetAvatar(ctx, did, *p.avatar)
	case p.read && p.avatarCID == "":
		err = s.store.DropAvatar(ctx, did)
	}
	if err != nil {
		s.log.Error("atproto: keep picture", "did", did, "err", err)
	}
}
