package gitrepo

import (
	"context"
	"io"
	"time"
)

// An UploadPack is one request of a client that fetches (gitprotocol-http(5)).
type UploadPack struct {
	// Version2 asks for protocol version 2; otherwise it is 0, which clients
	// that ask for 1 understand as well.
	Version2  bool
	Advertise bool      // say what there is; otherwise answer In
	In        io.Reader // best a file: nothing then waits for who sends it
	Out       io.Writer // best a file as well: nothing then copies what the process says
}

// serveBound is what one answer may use. What a client does not fetch in time
// has been spooled by then or is not worth it.
var serveBound = bound{time: 10 * time.Minute, memory: 3 << 30}

// serving lets clients leave out blobs and trees, but not make us search; and
// ask for any object, since all of a repository is for whoever may read it: what
// a partial clone left out it fetches by id.
var serving = []string{
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

// UploadPack answers a client. A *Failure may be the client's doing: it asked for
// what is not there, or sent something else.
func (r *Repo) UploadPack(ctx context.Context, u UploadPack) error {
	args := serving
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
