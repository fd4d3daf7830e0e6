// gorilla/websocket as an echo and fan-out server, written as the library's documentation does it:
// one goroutine per connection, prepared messages for fan-out. Never checks the origin: there is none.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

var (
	deflate     bool
	upgrader    = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	mutex       sync.Mutex
	subscribers = map[*websocket.Conn]bool{}
)

func publish(messageType int, payload []byte) {
	prepared, err := websocket.NewPreparedMessage(messageType, payload)
	if err != nil {
		return
	}
	mutex.Lock()
	defer mutex.Unlock()
	for connection := range subscribers {
		if connection.WritePreparedMessage(prepared) != nil {
			delete(subscribers, connection)
		}
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	connection, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer connection.Close()
	connection.SetReadLimit(64 << 20)
	connection.EnableWriteCompression(deflate)
	if deflate {
		connection.SetCompressionLevel(6) // zlib's default, which the other peers use
	}
	if r.URL.Path == "/fanout" {
		mutex.Lock()
		subscribers[connection] = true
		mutex.Unlock()
	}
	for {
		messageType, payload, err := connection.ReadMessage()
		if err != nil {
			break
		}
		if r.URL.Path == "/publish" {
			publish(messageType, payload)
		} else if connection.WriteMessage(messageType, payload) != nil {
			break
		}
	}
	mutex.Lock()
	delete(subscribers, connection)
	mutex.Unlock()
}

func main() {
	port, certificate, key := "", "", ""
	for i := 1; i < len(os.Args); i++ {
		switch {
		case os.Args[i] == "--deflate":
			deflate = true
		case os.Args[i] == "--tls" && i+2 < len(os.Args):
			certificate, key = os.Args[i+1], os.Args[i+2]
			i += 2
		default:
			port = os.Args[i]
		}
	}
	upgrader.EnableCompression = deflate
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	handler := http.HandlerFunc(serve)
	if certificate != "" {
		log.Fatal(http.ServeTLS(listener, handler, certificate, key))
	}
	log.Fatal(http.Serve(listener, handler))
}
