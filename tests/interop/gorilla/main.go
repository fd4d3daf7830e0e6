// Debian's github.com/gorilla/websocket as an interop peer: `client --url URL` checks a server,
// `server --port N` echoes for a client. The command line and the checks are those of run.py's docstring.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	stepTime        = 60 * time.Second // a machine under load echoes 16 MiB in seconds; this only bounds a hang
	payloadBytesMax = 64 << 20
	writeBufferSize = 1024 // small, so that NextWriter sends what it is given in many fragments
)

var (
	sizes  = []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20}
	closes = []struct {
		code   int
		reason string
	}{{1000, "done"}, {1001, "leaving \u2713"}, {3000, "registered"}, {4999, strings.Repeat("p", 123)}}
	closeOrder = regexp.MustCompile(`^close (\d{4}) (.*)$`)

	url              string
	port             int
	deflate          bool
	takeover         bool
	allowEmptyReason bool
	echoOnly         bool
	large            bool
	faults           int
)

func report(name string, fault string) {
	if fault == "" {
		fmt.Println("ok " + name)
		return
	}
	faults++
	fmt.Printf("FAIL %s: %s\n", name, fault)
}

// textOf answers exactly size bytes of UTF-8 with sequences of one to four bytes.
func textOf(size int) []byte {
	unit := []byte("sinnet \u00e9 \u2713 \U0001d11e ")
	whole := size / len(unit)
	return append(bytes.Repeat(unit, whole), bytes.Repeat([]byte("x"), size-whole*len(unit))...)
}

// binaryOf answers bytes that neither repeat soon nor form UTF-8.
func binaryOf(size int) []byte {
	out := make([]byte, size)
	state := uint32(0x9e3779b9) ^ uint32(size)
	for i := range out {
		state = state*1664525 + 1013904223
		out[i] = byte(state >> 24)
	}
	return out
}

func connect() (*websocket.Conn, string, error) {
	// Room for most messages in one frame; checkFragments uses a connection with the small buffer.
	return connectWith(64 << 10)
}

func connectWith(writeBuffer int) (*websocket.Conn, string, error) {
	dialer := websocket.Dialer{
		HandshakeTimeout: stepTime, EnableCompression: deflate, WriteBufferSize: writeBuffer,
	}
	conn, response, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, "", err
	}
	conn.SetReadLimit(payloadBytesMax)
	return conn, response.Header.Get("Sec-Websocket-Extensions"), nil
}

func checkExtensions(got string) {
	if !deflate {
		report("no compression unasked", got)
		return
	}
	fault := ""
	if !strings.HasPrefix(got, "permessage-deflate") {
		fault = "the answer is " + strconv.Quote(got)
	}
	report("compression negotiated", fault)
	fault = ""
	if !strings.Contains(got, "server_no_context_takeover") {
		fault = "the answer is " + strconv.Quote(got)
	}
	report("context takeover declined", fault)
}

func checkEcho(name string, conn *websocket.Conn, kind int, payload []byte, send func() error) {
	conn.SetReadDeadline(time.Now().Add(stepTime))
	conn.SetWriteDeadline(time.Now().Add(stepTime))
	// Both at once: a server that answers while it still reads must not meet a client that does not read.
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	gotKind, got, err := conn.ReadMessage()
	if sendErr := <-sent; sendErr != nil {
		err = sendErr
	}
	switch {
	case err != nil:
		report(name, err.Error())
	case gotKind != kind:
		report(name, "came back as opcode "+strconv.Itoa(gotKind))
	case !bytes.Equal(got, payload):
		report(name, strconv.Itoa(len(got))+" bytes came back, and not the same ones")
	default:
		report(name, "")
	}
}

func checkFragments() {
	conn, _, err := connectWith(writeBufferSize)
	if err != nil {
		report("fragments", err.Error())
		return
	}
	defer conn.Close()
	fragmented := func(kind int, payload []byte) func() error {
		return func() error {
			writer, err := conn.NextWriter(kind)
			if err != nil {
				return err
			}
			for rest := payload; len(rest) > 0; {
				count := 333 // cuts UTF-8 sequences now and then
				if count > len(rest) {
					count = len(rest)
				}
				if _, err := writer.Write(rest[:count]); err != nil {
					return err
				}
				rest = rest[count:]
			}
			return writer.Close()
		}
	}
	text, binary := textOf(20000), binaryOf(70000)
	checkEcho("text in fragments, cut inside a character", conn, websocket.TextMessage, text,
		fragmented(websocket.TextMessage, text))
	checkEcho("binary in fragments", conn, websocket.BinaryMessage, binary,
		fragmented(websocket.BinaryMessage, binary))
}

// checkPing sends a text behind the ping: pongs are seen only while a message is being read.
func checkPing(conn *websocket.Conn, size int) {
	payload := binaryOf(size)
	got, seen := "", false
	conn.SetPongHandler(func(data string) error {
		got, seen = data, true
		return nil
	})
	text := []byte("behind the ping")
	checkEcho("message behind a ping of "+strconv.Itoa(size), conn, websocket.TextMessage, text, func() error {
		if err := conn.WriteControl(websocket.PingMessage, payload, time.Now().Add(stepTime)); err != nil {
			return err
		}
		return conn.WriteMessage(websocket.TextMessage, text)
	})
	fault := ""
	if !seen || got != string(payload) {
		fault = "no pong, or one that carries something else, before the next message"
	}
	report("ping of "+strconv.Itoa(size), fault)
}

func checkClose(name string, code int, reason string, act func(*websocket.Conn) error) {
	conn, _, err := connect()
	if err != nil {
		report(name, err.Error())
		return
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(stepTime))
	if err = act(conn); err == nil {
		_, _, err = conn.ReadMessage()
	}
	var closed *websocket.CloseError
	switch {
	case !errors.As(err, &closed):
		report(name, fmt.Sprint("no Close frame: ", err))
	case closed.Code != code:
		report(name, closed.Error())
	case closed.Text == "" && allowEmptyReason:
		report(name+" (no reason)", "")
	case closed.Text != reason:
		report(name, "the reason is "+strconv.Quote(closed.Text))
	default:
		report(name, "")
	}
}

func runClient() {
	conn, extensions, err := connect()
	if err != nil {
		report("connection", err.Error())
		return
	}
	defer conn.Close()
	checkExtensions(extensions)
	if large {
		sizes = append(sizes, payloadBytesMax)
	}
	for _, size := range sizes {
		text, binary := textOf(size), binaryOf(size)
		checkEcho("text of "+strconv.Itoa(size), conn, websocket.TextMessage, text,
			func() error { return conn.WriteMessage(websocket.TextMessage, text) })
		checkEcho("binary of "+strconv.Itoa(size), conn, websocket.BinaryMessage, binary,
			func() error { return conn.WriteMessage(websocket.BinaryMessage, binary) })
	}
	checkFragments()
	for _, size := range []int{0, 125} {
		checkPing(conn, size)
	}
	for _, c := range closes {
		c := c
		checkClose("close "+strconv.Itoa(c.code)+" answered", c.code, c.reason, func(conn *websocket.Conn) error {
			return sendClose(conn, c.code, c.reason)
		})
	}
	if echoOnly {
		return
	}
	checkClose("close from the server", 4001, "asked to", func(conn *websocket.Conn) error {
		return conn.WriteMessage(websocket.TextMessage, []byte("close 4001 asked to"))
	})
}

func sendClose(conn *websocket.Conn, code int, reason string) error {
	payload := websocket.FormatCloseMessage(code, reason)
	return conn.WriteControl(websocket.CloseMessage, payload, time.Now().Add(stepTime))
}

func echo(upgrader *websocket.Upgrader, w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetReadLimit(payloadBytesMax)
	// The library's own handler answers with the code alone; the other peers repeat the reason.
	conn.SetCloseHandler(func(code int, text string) error { return sendClose(conn, code, text) })
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if kind == websocket.TextMessage && len(message) < 200 {
			if order := closeOrder.FindSubmatch(message); order != nil {
				code, _ := strconv.Atoi(string(order[1]))
				conn.SetCloseHandler(func(int, string) error { return nil }) // ours is on its way; theirs is the answer
				if sendClose(conn, code, string(order[2])) != nil {
					return
				}
				continue
			}
		}
		if conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func runServer() {
	upgrader := websocket.Upgrader{EnableCompression: deflate}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	fmt.Fprintln(os.Stderr, http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		echo(&upgrader, w, r)
	})))
	os.Exit(1)
}

func main() {
	if len(os.Args) < 2 || (os.Args[1] != "client" && os.Args[1] != "server") {
		fmt.Fprintln(os.Stderr, "usage: peer client|server [options]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&url, "url", "", "the server to check")
	flags.IntVar(&port, "port", 0, "the port to listen on, 0 for any")
	flags.BoolVar(&deflate, "deflate", false, "permessage-deflate")
	flags.BoolVar(&takeover, "takeover", false, "with context takeover (which this library does not have)")
	flags.BoolVar(&allowEmptyReason, "allow-empty-reason", false, "a Close may be answered with its code alone")
	flags.BoolVar(&echoOnly, "echo-only", false, "the server takes no orders to close")
	flags.BoolVar(&large, "large", false, "messages of 64 MiB too")
	flags.Parse(os.Args[2:])
	if takeover {
		fmt.Fprintln(os.Stderr, "gorilla/websocket has no context takeover")
		os.Exit(2)
	}
	if os.Args[1] == "server" {
		runServer()
	}
	runClient()
	if faults > 0 {
		os.Exit(1)
	}
}
