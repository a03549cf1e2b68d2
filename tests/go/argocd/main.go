// Judges objects by a health rule as Argo CD does: in its interpreter, with the libraries that it opens by default
// (argo-cd/util/lua). Reads a JSON array of objects, writes an array of what the rule returned.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

const timeout = time.Second

func main() {
	if err := judge(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(path string, in io.Reader, out io.Writer) error {
	rule, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var objects []interface{}
	if err := json.NewDecoder(in).Decode(&objects); err != nil {
		return err
	}
	judged := make([]json.RawMessage, 0, len(objects))
	for _, object := range objects {
		health, err := run(string(rule), object)
		if err != nil {
			return err
		}
		judged = append(judged, health)
	}
	return json.NewEncoder(out).Encode(judged)
}

func run(rule string, object interface{}) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(rule); err != nil {
		return nil, err
	}
	return luajson.Encode(state.Get(-1))
}
