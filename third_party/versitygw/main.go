// Program versitygw serves the S3 API over one folder, by the packages of versitygw. The program that versitygw comes
// with has more backends, accounts, an admin API and pages, none of which Lakeproof uses; they take a third of the time
// that it takes to compile.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
)

// The defaults of versitygw's own program.
const (
	maxConnections      = 250000
	maxRequests         = 100000
	maxParts            = 10000
	concurrency         = 5000
	bufferBytes         = 1 << 20
	copyObjectThreshold = 5 << 30
)

func main() {
	address := flag.String("port", "127.0.0.1:9000", "address to listen on")
	region := flag.String("region", "us-east-1", "region of the buckets")
	health := flag.String("health", "", "path that answers 200 without a signature")
	folder := flag.String("folder", "", "absolute path; its folders are the buckets")
	readOnly := flag.Bool("readonly", false, "refuse every write")
	flag.Parse()
	if err := serve(*address, *region, *health, *folder, *readOnly); err != nil {
		log.Fatal(err)
	}
}

// serve runs until SIGTERM or SIGINT. Keys come from the environment: ROOT_ACCESS_KEY, ROOT_SECRET_KEY.
func serve(address, region, health, folder string, readOnly bool) error {
	root := middlewares.RootUserConfig{Access: os.Getenv("ROOT_ACCESS_KEY"), Secret: os.Getenv("ROOT_SECRET_KEY")}
	if root.Access == "" || root.Secret == "" {
		return errors.New("ROOT_ACCESS_KEY and ROOT_SECRET_KEY must be set")
	}
	utils.SetBucketNameValidationStrict(true)
	if err := (meta.XattrMeta{}).Test(folder); err != nil {
		return err
	}
	options := posix.PosixOpts{
		Concurrency: concurrency, IOBufferSize: bufferBytes, CopyObjectThreshold: copyObjectThreshold,
	}
	options.SetNewDirPerm(0o755)
	options.SetNewFilePerm(0o644)
	store, err := posix.New(folder, meta.XattrMeta{}, options)
	if err != nil {
		return err
	}
	defer store.Shutdown()
	accounts, err := auth.New(&auth.Opts{
		RootAccount: auth.Account{Access: root.Access, Secret: root.Secret, Role: auth.RoleAdmin},
	})
	if err != nil {
		return err
	}
	settings := []s3api.Option{
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests), s3api.WithMpMaxParts(maxParts),
		s3api.WithHealth(health),
	}
	if readOnly {
		settings = append(settings, s3api.WithReadOnly())
	}
	server, err := s3api.New(store, root, region, accounts, nil, nil, nil, nil, settings...)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.ServeMultiPort([]string{address}) }()
	select {
	case err = <-ended:
		return err
	case <-stop.Done():
		return server.ShutDown()
	}
}
