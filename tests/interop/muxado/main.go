// Debian's github.com/inconshreveable/muxado (v1) as a multiplexer peer, unmodified:
//
//	peer server [--open N]            listens, prints "port N", echoes what the client opens; one session
//	peer client --address A --open N  connects
//
// With --open N it opens N streams at once itself, holds them open until each has been answered, and checks
// the echo. Streams that the other side opens are echoed; with --expect N none is until N of them are open.
// Says what the programs of examples/ say: "sent streams N bytes N sum X" and "echoed streams N peak N bytes
// N sum X", where sum is that of the streams' FNV-1a checksums. Exits with 1 on any difference.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/inconshreveable/muxado"
)

var (
	address   = flag.String("address", "", "the server to connect to")
	open      = flag.Int("open", 0, "streams to open")
	expect    = flag.Int("expect", 0, "streams that must be open at once before one is echoed")
	bytesEach = flag.Int("bytes", 1<<20, "bytes to send on each")
)

func fatal(arguments ...interface{}) {
	fmt.Fprintln(os.Stderr, append([]interface{}{"FAIL"}, arguments...)...)
	os.Exit(1)
}

// pattern answers bytes of stream i that do not repeat soon.
func pattern(i, size int) []byte {
	out := make([]byte, size)
	state := uint32(0x9e3779b9) ^ uint32(i+1)*2654435761
	for k := range out {
		state = state*1664525 + 1013904223
		out[k] = byte(state >> 24)
	}
	return out
}

func sumOf(bytes []byte) uint64 {
	hash := fnv.New64a()
	hash.Write(bytes)
	return hash.Sum64()
}

// ---- streams of ours

type totals struct {
	sync.Mutex
	streams, live, peak int
	bytes, sum          uint64
}

// exchange sends the first part on every stream, waits until all of them were answered, and sends the rest.
func exchange(session muxado.Session, count int) {
	var (
		answered, done sync.WaitGroup
		sent           totals
	)
	streams := make([]muxado.Stream, count)
	answered.Add(count)
	for i := range streams {
		stream, err := session.Open()
		if err != nil {
			fatal("opening stream", i, err)
		}
		streams[i] = stream
	}
	for i, stream := range streams {
		done.Add(1)
		go func(i int, stream muxado.Stream) {
			defer done.Done()
			payload := pattern(i, *bytesEach)
			go func() {
				if _, err := stream.Write(payload[:1]); err != nil {
					fatal("writing stream", i, err)
				}
				answered.Wait()
				if _, err := stream.Write(payload[1:]); err != nil {
					fatal("writing stream", i, err)
				}
			}()
			got := make([]byte, 1)
			if _, err := io.ReadFull(stream, got); err != nil {
				fatal("the first byte of stream", i, err)
			}
			answered.Done()
			rest := make([]byte, len(payload)-1)
			if _, err := io.ReadFull(stream, rest); err != nil {
				fatal("reading stream", i, err)
			}
			stream.Close()
			got = append(got, rest...)
			if sumOf(got) != sumOf(payload) {
				fatal("stream", i, "came back with other bytes")
			}
			sent.Lock()
			sent.streams++
			sent.bytes += uint64(len(got))
			sent.sum += sumOf(got)
			sent.Unlock()
		}(i, stream)
	}
	done.Wait()
	fmt.Printf("sent streams %d bytes %d sum %016x\n", sent.streams, sent.bytes, sent.sum)
}

// ---- streams of the other side

type echo struct {
	totals
	gate    sync.WaitGroup // opens with the last stream that is expected
	serving sync.WaitGroup
}

func (e *echo) run(session muxado.Session) {
	e.gate.Add(*expect)
	for {
		stream, err := session.Accept()
		if err != nil {
			return
		}
		e.Lock()
		e.streams++
		e.live++
		if e.live > e.peak {
			e.peak = e.live
		}
		if e.streams <= *expect {
			e.gate.Done()
		}
		e.serving.Add(1)
		e.Unlock()
		go e.serve(stream)
	}
}

func (e *echo) serve(stream muxado.Stream) {
	defer e.serving.Done()
	e.gate.Wait()
	hash := fnv.New64a()
	count, err := io.Copy(io.MultiWriter(stream, hash), stream)
	if err != nil {
		fatal("echoing stream", stream.Id(), err)
	}
	e.Lock()
	e.bytes += uint64(count)
	e.sum += hash.Sum64()
	e.live--
	e.Unlock()
	stream.Close()
}

// ---- the session

func connection(role string) net.Conn {
	if role == "client" {
		conn, err := net.DialTimeout("tcp", *address, 15*time.Second)
		if err != nil {
			fatal(err)
		}
		return conn
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	conn, err := listener.Accept()
	if err != nil {
		fatal(err)
	}
	return conn
}

func main() {
	if len(os.Args) < 2 || (os.Args[1] != "client" && os.Args[1] != "server") {
		fmt.Fprintln(os.Stderr, "usage: peer client|server [options]")
		os.Exit(2)
	}
	role := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	conn := connection(role)
	begin := muxado.Server
	if role == "client" {
		begin = muxado.Client
	}
	session := begin(conn)
	var e echo
	accepting := make(chan struct{})
	go func() {
		e.run(session)
		close(accepting)
	}()
	if *open > 0 {
		exchange(session, *open)
	}
	if *expect == 0 {
		session.Close()
	} else {
		<-accepting // the other side ends the session
		e.serving.Wait()
	}
	if e.streams != *expect {
		fatal(e.streams, "streams came instead of", *expect)
	}
	if *expect > 0 {
		fmt.Printf("echoed streams %d peak %d bytes %d sum %016x\n", e.streams, e.peak, e.bytes, e.sum)
	}
}
