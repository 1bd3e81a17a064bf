// The webhook that a Go programmer writes without any library: net/http and encoding/json, with structs for the fields
// that it needs, and a metadata GET for the parent of a Scale. It knows one rule, SG001, and marks by label.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const mark = "singleton-guard.io/singleton"

type object struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Replicas int32 `json:"replicas"`
	} `json:"spec"`
}

type request struct {
	UID         string  `json:"uid"`
	SubResource string  `json:"subResource"`
	Name        string  `json:"name"`
	Namespace   string  `json:"namespace"`
	Object      *object `json:"object"`
	OldObject   *object `json:"oldObject"`
}

type status struct {
	Message string `json:"message"`
	Code    int32  `json:"code"`
}

type response struct {
	UID     string  `json:"uid"`
	Allowed bool    `json:"allowed"`
	Status  *status `json:"status,omitempty"`
}

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type webhook struct {
	client    *http.Client
	apiServer string
}

func (w *webhook) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	var r review
	if err := json.Unmarshal(body, &r); err != nil || r.Request == nil {
		http.Error(out, fmt.Sprintf("no AdmissionReview: %v", err), http.StatusBadRequest)
		return
	}
	answer := response{UID: r.Request.UID, Allowed: true}
	if err := w.judge(in.Context(), r.Request); err != nil {
		answer.Allowed, answer.Status = false, &status{Message: err.Error(), Code: http.StatusForbidden}
	}
	text, err := json.Marshal(review{APIVersion: r.APIVersion, Kind: r.Kind, Response: &answer})
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	_, _ = out.Write(text)
}

func (w *webhook) judge(ctx context.Context, r *request) error {
	var before, after int32
	if r.Object != nil {
		after = r.Object.Spec.Replicas
	}
	if r.OldObject != nil {
		before = r.OldObject.Spec.Replicas
	}
	if after <= 1 || after <= before {
		return nil
	}
	object := r.Object
	if r.SubResource == "scale" {
		parent, err := w.parent(ctx, r.Namespace, r.Name)
		if err != nil {
			return err
		}
		object = parent
	}
	if _, marked := object.Metadata.Labels[mark]; marked {
		return fmt.Errorf("%s is a singleton: it cannot have %d replicas", r.Name, after)
	}
	return nil
}

func (w *webhook) parent(ctx context.Context, namespace, name string) (*object, error) {
	url := fmt.Sprintf("%s/apis/apps/v1/namespaces/%s/statefulsets/%s", w.apiServer, namespace, name)
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	get.Header.Set("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	answer, err := w.client.Do(get)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API server answered %s", answer.Status)
	}
	var parent object
	return &parent, json.Unmarshal(body, &parent)
}

func main() {
	address := flag.String("address", "", "where to listen")
	directory := flag.String("directory", "", "with tls.crt, tls.key and ca.crt")
	apiServer := flag.String("api-server", "", "URL of the API server")
	flag.Parse()
	authority, err := os.ReadFile(filepath.Join(*directory, "ca.crt"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 25}
	mux := http.NewServeMux()
	mux.Handle("POST /validate", &webhook{client: &http.Client{Transport: transport, Timeout: 2 * time.Second}, apiServer: *apiServer})
	server := http.Server{Addr: *address, Handler: mux}
	log.Fatal(server.ListenAndServeTLS(filepath.Join(*directory, "tls.crt"), filepath.Join(*directory, "tls.key")))
}
