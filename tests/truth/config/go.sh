export GOCACHE="$PWD/../go-cache" GO111MODULE=off HOME="$PWD"
go build -o server server.go && exec ./server
