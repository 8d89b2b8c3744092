// SPDX-License-Identifier: Apache-2.0

// Goecho is an ordinary Go program: an HTTP server on net.Listen, and an HTTP
// client that holds keep-alive connections open. Since Go 1.24 net.Listen asks
// for IPPROTO_MPTCP where the kernel has it; nothing here asks for that, nor
// against it.
//
//	goecho serve ADDRESS:PORT
//	goecho hold [-n COUNT] [-mptcp] URL
//
// Standard output is one JSON object per line: serve prints {"ready": ADDRESS},
// hold prints {"local": [ip, port], "remote": [ip, port], "protocol": N,
// "mptcp": BOOL} for each connection and then {"held": COUNT}, and keeps them
// until its standard input ends.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

type flow struct {
	Local    [2]any `json:"local"`
	Remote   [2]any `json:"remote"`
	Protocol int    `json:"protocol"`
	MPTCP    bool   `json:"mptcp"`
}

func ends(a net.Addr) [2]any {
	t := a.(*net.TCPAddr)
	return [2]any{t.IP.String(), t.Port}
}

// describe asks the kernel what c is, as a person with strace would see it.
func describe(c *net.TCPConn) (flow, error) {
	f := flow{Local: ends(c.LocalAddr()), Remote: ends(c.RemoteAddr())}
	raw, err := c.SyscallConn()
	if err != nil {
		return f, err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		f.Protocol, inner = syscall.GetsockoptInt(int(fd),
			syscall.SOL_SOCKET, syscall.SO_PROTOCOL)
	})
	if err == nil {
		err = inner
	}
	if err == nil && f.Protocol != 256 { // SMC sockets cannot say
		f.MPTCP, err = c.MultipathTCP()
	}
	return f, err
}

func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if err := emit(map[string]string{"ready": address}); err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(w, r.Body); err != nil {
				fmt.Fprintln(os.Stderr, "goecho:", err)
			}
		}))
}

// roundTrip makes one request on a connection of its own and keeps it.
func roundTrip(url string, mptcp bool) (flow, error) {
	var conn *net.TCPConn
	dialer := &net.Dialer{}
	if mptcp {
		dialer.SetMultipathTCP(true)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (
			net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err == nil {
				conn = c.(*net.TCPConn)
			}
			return c, err
		},
	}}
	sent := []byte("what goes out must come back")
	r, err := client.Post(url, "text/plain", bytes.NewReader(sent))
	if err != nil {
		return flow{}, err
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil {
		return flow{}, err
	}
	if !bytes.Equal(sent, got) {
		return flow{}, fmt.Errorf("sent %q, got %q", sent, got)
	}
	return describe(conn)
}

func hold(url string, count int, mptcp bool) error {
	var wg sync.WaitGroup
	flows := make([]flow, count)
	errs := make([]error, count)
	for i := range count {
		wg.Add(1)
		go func() {
			defer wg.Done()
			flows[i], errs[i] = roundTrip(url, mptcp)
		}()
	}
	wg.Wait()
	for i := range count {
		if errs[i] != nil {
			return errs[i]
		}
		if err := emit(flows[i]); err != nil {
			return err
		}
	}
	if err := emit(map[string]int{"held": count}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func emit(v any) error {
	return json.NewEncoder(os.Stdout).Encode(v)
}

func main() {
	set := flag.NewFlagSet("goecho", flag.ExitOnError)
	count := set.Int("n", 1, "`connections` to hold")
	mptcp := set.Bool("mptcp", false, "dial with multipath TCP")
	err := fmt.Errorf("usage: goecho serve ADDRESS:PORT | " +
		"goecho hold [-n COUNT] [-mptcp] URL")
	if len(os.Args) > 2 {
		verb := os.Args[1]
		_ = set.Parse(os.Args[2:])
		switch {
		case verb == "serve" && set.NArg() == 1:
			err = serve(set.Arg(0))
		case verb == "hold" && set.NArg() == 1:
			err = hold(set.Arg(0), *count, *mptcp)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "goecho:", err)
		os.Exit(1)
	}
}
