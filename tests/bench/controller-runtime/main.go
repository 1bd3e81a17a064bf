// The webhook that most Go projects have: controller-runtime's server and decoder with the typed objects of
// Kubernetes, and its client for the metadata of a Scale's parent. It knows one rule, SG001, and marks by label.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const mark = "singleton-guard.io/singleton"

type guard struct {
	client  client.Client
	decoder admission.Decoder
}

func (g *guard) Handle(ctx context.Context, r admission.Request) admission.Response {
	var before, after int32
	var labels map[string]string
	if r.SubResource == "scale" {
		var scale, old autoscalingv1.Scale
		if err := g.decode(r, &scale, &old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		before, after = old.Spec.Replicas, scale.Spec.Replicas
	} else {
		var set, old appsv1.StatefulSet
		if err := g.decode(r, &set, &old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		before, after, labels = count(old.Spec.Replicas), count(set.Spec.Replicas), set.Labels
	}
	if after <= 1 || after <= before {
		return admission.Allowed("")
	}
	if r.SubResource == "scale" {
		var parent metav1.PartialObjectMetadata
		parent.SetGroupVersionKind(statefulSet)
		if err := g.client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, &parent); err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		labels = parent.Labels
	}
	if _, marked := labels[mark]; marked {
		return admission.Denied(fmt.Sprintf("%s is a singleton: it cannot have %d replicas", r.Name, after))
	}
	return admission.Allowed("")
}

func (g *guard) decode(r admission.Request, object, old runtime.Object) error {
	if err := g.decoder.Decode(r, object); err != nil {
		return err
	}
	return g.decoder.DecodeRaw(r.OldObject, old)
}

func count(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

var statefulSet = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}

func main() {
	address := flag.String("address", "", "where to listen")
	directory := flag.String("directory", "", "with tls.crt, tls.key and kubeconfig")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv1.AddToScheme, metav1.AddMetaToScheme} {
		check(add(scheme))
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(*directory, "kubeconfig"))
	check(err)
	// Its client would otherwise let through 20 requests a second.
	config.QPS = -1
	// There is nothing to discover at the stand-in.
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(statefulSet, meta.RESTScopeNamespace)
	reader, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
	check(err)
	host, port, err := net.SplitHostPort(*address)
	check(err)
	number, err := strconv.Atoi(port)
	check(err)
	server := webhook.NewServer(webhook.Options{
		Host:    host,
		Port:    number,
		CertDir: *directory,
		// As kubebuilder's projects have it.
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	})
	server.Register("/validate", &webhook.Admission{Handler: &guard{client: reader, decoder: admission.NewDecoder(scheme)}})
	check(server.Start(ctrl.SetupSignalHandler()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
