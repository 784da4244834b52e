package gitrepo

import (
	"context"
	"io"
	"time"
)

// An UploadPack is one request of a fetching client (gitprotocol-http(5)).
type UploadPack struct {
	// Version2 selects protocol version 2 instead of 0. Clients that ask for
	// version 1 understand 0 as well.
	Version2  bool
	Advertise bool      // advertise refs instead of answering In
	In        io.Reader // preferably a file, so that git doesn't wait for the client
	Out       io.Writer // preferably a file, so that output isn't copied
}

// serveBound limits the process that answers one request. Its output is spooled,
// so a slow client doesn't count against the time.
var serveBound = bound{time: 10 * time.Minute, memory: 3 << 30}

// uploadPackArgs allow clients to omit blobs and trees, but not with filters that
// are expensive to compute. Clients can request any object by id, because anyone
// who can read the wiki can read the whole repository, and partial clones fetch
// omitted objects by id.
var uploadPackArgs = []string{
	"-c", "uploadpack.allowFilter=true",
	"-c", "uploadpack.allowAnySHA1InWant=true",
	"-c", "uploadpackfilter.allow=false",
	"-c", "uploadpackfilter.blob:none.allow=true",
	"-c", "uploadpackfilter.blob:limit.allow=true",
	"-c", "uploadpackfilter.object:type.allow=true",
	"-c", "uploadpackfilter.tree.allow=true",
	"-c", "uploadpackfilter.tree.maxDepth=8",
	"upload-pack", "--strict", "--stateless-rpc",
}

// UploadPack answers a request. A *Failure can be the client's fault: it asked for
// an object that doesn't exist, or sent garbage.
func (r *Repo) UploadPack(ctx context.Context, u UploadPack) error {
	args := uploadPackArgs
	if u.Advertise {
		args = append(args[:len(args):len(args)], "--advertise-refs")
	}
	var env []string
	if u.Version2 {
		env = []string{"GIT_PROTOCOL=version=2"}
	}
	return r.git.run(ctx, process{
		dir: r.dir, args: append(args[:len(args):len(args)], "."), env: env,
		in: u.In, out: u.Out, bound: serveBound,
	})
}
