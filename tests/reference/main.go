// The core of SG001 on one page, read as the API server reads: a marked workload must not rise above one replica, as an
// object or through its Scale. What cannot be read is refused.
//
// On its input come bodies, each behind its length in four bytes, big end first; for each it writes 'a', allowed, or
// 'd', denied. It knows nothing of the other rules, so it allows more than singleton-guard. It must never allow less.
package main

import (
	"bufio"
	"encoding/binary"
	encoding "encoding/json"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/json"
)

const mark = "singleton-guard.io/singleton"

type object struct {
	Metadata struct {
		Labels          map[string]string `json:"labels"`
		OwnerReferences []struct {
			Controller *bool `json:"controller"`
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		Replicas encoding.RawMessage `json:"replicas"`
	} `json:"spec"`
}

type review struct {
	Kind    string `json:"kind"`
	Request struct {
		UID      string `json:"uid"`
		Resource struct {
			Group    string `json:"group"`
			Resource string `json:"resource"`
		} `json:"resource"`
		SubResource string `json:"subResource"`
		Namespace   string `json:"namespace"`
		Operation   string `json:"operation"`
		UserInfo    struct {
			Username string   `json:"username"`
			Groups   []string `json:"groups"`
		} `json:"userInfo"`
		Object    *object `json:"object"`
		OldObject *object `json:"oldObject"`
	} `json:"request"`
}

// allowed says whether the review passes, if every Scale has a marked parent.
func allowed(body []byte) bool {
	var r review
	if err := json.UnmarshalCaseSensitivePreserveInts(body, &r); err != nil || r.Kind != "AdmissionReview" {
		return false
	}
	q := r.Request
	resource := q.Resource.Group + "/" + q.Resource.Resource
	guarded := []string{"apps/statefulsets", "apps/replicasets", "apps/deployments", "/replicationcontrollers"}
	exempt := q.Namespace == "kube-system" || slices.Contains(q.UserInfo.Groups, "singleton-guard:break-glass") ||
		q.SubResource != "scale" && resource == "apps/replicasets" && strings.HasPrefix(q.UserInfo.Username, "system:")
	if !slices.Contains(guarded, resource) || exempt || q.SubResource == "status" {
		return true
	}
	scale := q.SubResource == "scale"
	switch {
	case q.Operation == "CREATE" && q.Object != nil:
		return !rises(nil, q.Object, scale)
	case q.Operation == "UPDATE" && q.Object != nil && q.OldObject != nil:
		return !rises(q.OldObject, q.Object, scale)
	default:
		return q.Operation != "CREATE" && q.Operation != "UPDATE"
	}
}

func rises(from, to *object, scale bool) bool {
	if !scale && (!marked(from) && !marked(to) || controlled(to)) {
		return false
	}
	after := replicas(to, scale, math.MaxInt32)
	return after > 1 && (from == nil || after > replicas(from, scale, math.MinInt32))
}

func marked(o *object) bool {
	if o == nil {
		return false
	}
	_, found := o.Metadata.Labels[mark]
	return found
}

// controlled says whether the object may be judged by its owner.
func controlled(o *object) bool {
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			return true
		}
	}
	return false
}

// replicas gives what an absent number means, one in a workload, none in a Scale, and what is assumed of one that is no
// int32.
func replicas(o *object, scale bool, unreadable int32) int32 {
	var count *int32
	if raw := o.Spec.Replicas; raw != nil && json.UnmarshalCaseSensitivePreserveInts(raw, &count) != nil {
		return unreadable
	}
	switch {
	case count != nil:
		return *count
	case scale:
		return 0
	default:
		return 1
	}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			log.Fatal(err)
		}
		answer := byte('d')
		if allowed(body) {
			answer = 'a'
		}
		if err := out.WriteByte(answer); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
