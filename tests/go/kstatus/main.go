// Judges objects as kstatus does, and so Flux: reads a JSON array of objects, writes one of their statuses.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	if err := judge(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(in io.Reader, out io.Writer) error {
	var documents []json.RawMessage
	if err := json.NewDecoder(in).Decode(&documents); err != nil {
		return err
	}
	statuses := make([]string, 0, len(documents))
	for _, document := range documents {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(document); err != nil {
			return err
		}
		result, err := status.Compute(object)
		if err != nil {
			return err
		}
		statuses = append(statuses, result.Status.String())
	}
	return json.NewEncoder(out).Encode(statuses)
}
