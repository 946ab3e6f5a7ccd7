package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func answer(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if strings.Contains(r.URL.Path, "slow") {
		time.Sleep(time.Second)
	}
	w.Write([]byte("{}"))
}

func main() {
	var servers []*http.Server
	for _, port := range []string{"@port_h1@", "@port_h1s@", "@port_h2@"} {
		servers = append(servers, &http.Server{Addr: "127.0.0.1:" + port, Handler: http.HandlerFunc(answer),
			IdleTimeout: 2 * time.Second, ReadHeaderTimeout: time.Second})
	}
	go servers[0].ListenAndServe()
	go servers[1].ListenAndServeTLS("@cert@", "@key@")
	go servers[2].ListenAndServeTLS("@cert@", "@key@")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	for _, server := range servers {
		go server.Shutdown(context.Background())
	}
	time.Sleep(10 * time.Second)
}
