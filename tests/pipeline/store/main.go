// A trace store: Jaeger's memory, Jaeger's query API (v3, over gRPC) and the collector's OTLP receiver, without Jaeger's
// databases and user interface, which are most of what has to be built of it. The name of this module lets it import
// what is internal to Jaeger. usage: store OTLP_HTTP_ADDRESS QUERY_ADDRESS
package main

import (
	"context"
	"log"
	"net"
	"os"

	"github.com/jaegertracing/jaeger/cmd/query/app/apiv3"
	"github.com/jaegertracing/jaeger/cmd/query/app/querysvc/v2/querysvc"
	_ "github.com/jaegertracing/jaeger/internal/gogocodec"
	"github.com/jaegertracing/jaeger/internal/proto/api_v3"
	limits "github.com/jaegertracing/jaeger/internal/storage/v1/memory"
	"github.com/jaegertracing/jaeger/internal/storage/v2/memory"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"google.golang.org/grpc"
)

func must[T any](made T, err error) T {
	check(err)
	return made
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	store := must(memory.NewStore(limits.Configuration{MaxTraces: 100_000}))
	receive(os.Args[1], must(consumer.NewTraces(store.WriteTraces)))
	server := grpc.NewServer()
	service := querysvc.NewQueryService(store, store, querysvc.QueryServiceOptions{})
	api_v3.RegisterQueryServiceServer(server, &apiv3.Handler{QueryService: service})
	check(server.Serve(must(net.Listen("tcp", os.Args[2]))))
}

func receive(address string, next consumer.Traces) {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	http := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}}
	check(confmap.NewFromStringMap(http).Unmarshal(config))
	settings := receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
	background := context.Background()
	check(must(factory.CreateTraces(background, settings, config, next)).Start(background, componenttest.NewNopHost()))
}
