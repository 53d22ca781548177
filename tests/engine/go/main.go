package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/apache/flink-statefun/statefun-sdk-go/v3/pkg/statefun"
)

type Greeter struct{ SeenCount statefun.ValueSpec }

func (g *Greeter) Invoke(ctx statefun.Context, message statefun.Message) error {
	if !message.IsString() {
		return fmt.Errorf("not a string: %s", message.ValueTypeName())
	}
	var seen int32
	ctx.Storage().Get(g.SeenCount, &seen)
	seen++
	ctx.Storage().Set(g.SeenCount, seen)
	ctx.Send(statefun.MessageBuilder{
		Target: statefun.Address{FunctionType: statefun.TypeNameFrom("py/answer"), Id: ctx.Self().Id},
		Value:  fmt.Sprintf("go says hello to %s, %d", message.AsString(), seen),
	})
	return nil
}

func main() {
	greeter := &Greeter{SeenCount: statefun.ValueSpec{Name: "seenCount", ValueType: statefun.Int32Type}}
	builder := statefun.StatefulFunctionsBuilder()
	builder.WithSpec(statefun.StatefulFunctionSpec{
		FunctionType: statefun.TypeNameFrom("go/greeter"),
		States:       []statefun.ValueSpec{greeter.SeenCount},
		Function:     greeter,
	})
	http.Handle("/statefun", builder.AsHandler())
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	http.Serve(listener, nil)
}
