// Checks by AWS's SDK for Go v2, 64 in flight; one in ten is gone.
// go run probes.go GATEWAY_URL CA_FILE COUNT prints one JSON object.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	gateway "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
)

const inFlight = 64

func main() {
	url, caFile := os.Args[1], os.Args[2]
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	client := newClient(url, caFile)
	ask(client, inFlight)
	started, startedCPU := time.Now(), cpuSeconds()
	ask(client, count)
	seconds, cpu := time.Since(started).Seconds(), cpuSeconds()-startedCPU
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"per_second": float64(count) / seconds,
		"cpu_us":     cpu / float64(count) * 1e6,
	}))
}

func newClient(url, caFile string) *gateway.Client {
	authority, err := os.ReadFile(caFile)
	must(err)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: trusted},
		MaxIdleConnsPerHost: inFlight,
	}
	return gateway.New(gateway.Options{
		Region:     "eu-west-1",
		HTTPClient: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
		EndpointResolver: gateway.EndpointResolverFromURL(url),
		Retryer:          aws.NopRetryer{},
	})
}

func ask(client *gateway.Client, count int) {
	numbers, asked := make(chan int), sync.WaitGroup{}
	for i := 0; i < inFlight; i++ {
		asked.Add(1)
		go func() {
			defer asked.Done()
			for n := range numbers {
				check(client, n)
			}
		}()
	}
	for n := 0; n < count; n++ {
		numbers <- n
	}
	close(numbers)
	asked.Wait()
}

func check(client *gateway.Client, n int) {
	id := fmt.Sprintf("A%014d=", n)
	if n%10 == 0 {
		id = fmt.Sprintf("Z%014d=", n)
	}
	_, err := client.GetConnection(
		context.Background(), &gateway.GetConnectionInput{ConnectionId: &id})
	var gone *types.GoneException
	if err != nil && !errors.As(err, &gone) {
		must(err)
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
