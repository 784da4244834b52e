package atproto

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/raster"
	"robot.wtf/internal/store"
)

// avatarSize is the size of the square that an avatar fits in.
const avatarSize = 96

// avatarLimits bound the decoding of avatars, separately from other images. Each
// account decodes one at a time. The lexicon app.bsky.actor.profile allows
// 1,000,000 bytes, which is below outbound.MaxBody; most avatars are 1,000 pixels
// wide. The CPU time leaves enough of cleanupTimeout for the profile.
var avatarLimits = raster.Limits{
	Pixels: 16_000_000,
	Memory: 80 << 20,
	Total:  160 << 20,
	Slots:  4,
	CPU:    time.Second,
	Wait:   cleanupTimeout,
}

// newAvatar fetches a profile's avatar from the account's own server and
// scales it down. It returns nil if there is none or it is already stored.
// Avatars are fetched only at sign-in, so viewing a page never causes a
// request.
func (s *Service) newAvatar(ctx context.Context, account *identity.Identity, avatar string) (*store.Avatar, error) {
	if avatar == "" || len(avatar) > 200 {
		return nil, nil
	}
	kept, err := s.store.AvatarSource(ctx, account.DID.String())
	if err != nil || kept == avatar {
		return nil, err
	}
	answer, err := s.queryPDS(ctx, account, "com.atproto.sync.getBlob", url.Values{"did": {account.DID.String()}, "cid": {avatar}})
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
	picture, err := s.pictures.Fit(ctx, account.DID.String(), avatarSize, func(context.Context) ([]byte, error) { return data, nil })
	if err != nil {
		return nil, err
	}
	return &store.Avatar{Source: avatar, MIME: picture.MIME, Data: picture.Data}, nil
}

// keepAvatar stores the profile's avatar. If fetching it failed, the old one
// stays; if the profile has none, the old one is deleted. A failure doesn't
// prevent the sign-in.
func (s *Service) keepAvatar(ctx context.Context, did string, p profile) {
	var err error
	switch {
	case p.avatar != nil:
		err = s.store.SetAvatar(ctx, did, *p.avatar)
	case p.read && p.avatarCID == "":
		err = s.store.DropAvatar(ctx, did)
	}
	if err != nil {
		s.log.Error("storing an avatar failed", "did", did, "err", err)
	}
}
