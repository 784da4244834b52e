// Package background runs functions on goroutines of their own, and keeps a panic
// in one of them from ending the process. It has the module's only go statements;
// a test finds any other.
//
// A caller that waits uses Start or a Group. Waiting passes the panic on to the
// caller, so in a request it becomes that request's error 500.
//
// Work that no request waits for belongs to Workers. A panic there is logged with
// its stack and reported, and its input is set aside: the same worker skips it
// from then on, also after a restart, and goes on with other pages and wikis.
//
// Errors that the runtime calls fatal, such as a stack overflow, can't be
// recovered from.
package background

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// A Panic is the error for a function that panicked.
type Panic struct {
	Job       // the zero Job if a caller waited for it
	Value any // of the panic
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the panic's value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Catch calls f. It returns f's panic, or nil.
func Catch(f func()) (caught *Panic) {
	defer func() {
		if v := recover(); v != nil {
			passed, ok := v.(*Panic)
			if !ok {
				passed = &Panic{Value: v, Stack: debug.Stack()}
			}
			caught = passed
		}
	}()
	f()
	return nil
}

// A Call is a function that runs on a goroutine of its own.
type Call[T any] struct {
	done     chan struct{}
	value    T
	panicked *Panic
}

// Start calls f on a goroutine of its own.
func Start[T any](f func() T) *Call[T] {
	c := &Call[T]{done: make(chan struct{})}
	go func() {
		defer close(c.done) // also if f calls runtime.Goexit
		c.panicked = Catch(func() { c.value = f() })
	}()
	return c
}

// Done returns a channel that is closed when the function has ended.
func (c *Call[T]) Done() <-chan struct{} { return c.done }

// Wait waits for the function and returns its result. If the function panicked,
// Wait panics with a *Panic. It can be called any number of times.
func (c *Call[T]) Wait() T {
	<-c.done
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.value
}

// A Group is a set of functions on goroutines of their own, and a caller that
// waits for all of them. The zero Group is ready to use.
type Group struct {
	running sync.WaitGroup

	mu    sync.Mutex
	first *Panic
}

// Go calls f on a goroutine of its own.
func (g *Group) Go(f func()) {
	g.running.Go(func() {
		if p := Catch(f); p != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.first == nil {
				g.first = p
			}
		}
	})
}

// Wait waits for all functions. If any panicked, it panics with the first *Panic.
func (g *Group) Wait() {
	g.running.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.first; p != nil {
		g.first = nil
		panic(p)
	}
}
