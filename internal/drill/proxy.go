package drill

import (
	"context"
	"io"
	"net"
	"sync"
)

// proxy passes connections on to a server and cuts them where it is told. It looks at
// what goes through, which is why it is not one of the proxies that delay and drop.
type proxy struct {
	addr   string
	target string
	listen net.Listener
	// up and down see each piece that a client or the server has sent. They return what
	// of it is passed on; cut then resets both sides. They may keep state in the flow.
	up, down func(f *flow, piece []byte) (pass []byte, cut bool)
}

// flow is one connection.
type flow struct {
	mu       sync.Mutex
	mark     string // set by up for down
	n        int    // bytes counted so far
	limit    int
	cut      bool
	client   net.Conn
	upstream net.Conn
}

func newProxy(target string, up, down func(*flow, []byte) ([]byte, bool)) (*proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{addr: l.Addr().String(), target: target, listen: l, up: up, down: down}
	go p.accept()
	return p, nil
}

func (p *proxy) close() { _ = p.listen.Close() }

func (p *proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		s, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			reset(c) // the server is down
			continue
		}
		f := &flow{client: c, upstream: s}
		go pump(f, c, s, p.up)
		go pump(f, s, c, p.down)
	}
}

// pump passes on what comes from one side until it ends.
func pump(f *flow, from, to net.Conn, see func(*flow, []byte) ([]byte, bool)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			f.mu.Lock()
			pass, cut := see(f, buf[:n])
			f.mu.Unlock()
			if len(pass) > 0 {
				if _, werr := to.Write(pass); werr != nil {
					err = werr
				}
			}
			if cut {
				reset(f.client)
				reset(f.upstream)
				return
			}
		}
		if err == io.EOF {
			if t, ok := to.(*net.TCPConn); ok {
				_ = t.CloseWrite()
			}
			return
		}
		if err != nil {
			_ = from.Close()
			_ = to.Close()
			return
		}
	}
}

// reset ends a connection without a goodbye.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
