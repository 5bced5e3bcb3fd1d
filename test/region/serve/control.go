package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/test/hooks"
)

// controlPath is beside the paths of AWS, which are all "/".
const controlPath = "/_region/"

// maxAdvance bounds one request to let time pass. Longer than any wait that
// CodeDeploy knows (2,880 minutes).
const maxAdvance = 7 * 24 * time.Hour

// control serves what AWS does not have: time, and the state of everything.
func (s *sample) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveGuide)
	mux.HandleFunc("GET "+controlPath+"{$}", s.serveGuide)
	mux.HandleFunc("POST "+controlPath+"advance", s.serveAdvance)
	mux.HandleFunc("POST "+controlPath+"deploy", s.serveDeploy)
	mux.HandleFunc("GET "+controlPath+"state", s.serveState)
	mux.HandleFunc("GET "+controlPath+"events", s.serveEvents)
	mux.HandleFunc("GET "+controlPath+"notifications", s.serveMessages(topic, "notifications"))
	mux.HandleFunc("GET "+controlPath+"notices", s.serveMessages(hooks.Notices, "notices"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, controlPath) && r.URL.Path != "/" {
			s.refuse(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuse answers the calls of AWS's REST APIs, none of which is served, in the
// way that they report errors, so that the CLI and the SDKs show it.
func (s *sample) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", "UnknownOperationException")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"message": fmt.Sprintf("%s %s is none of what the simulated region serves: see %s", r.Method, r.URL.Path, s.url+controlPath),
	})
}

func (s *sample) serveGuide(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, s.guide())
}

// serveAdvance lets ?seconds= of virtual time pass, however long that takes.
func (s *sample) serveAdvance(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
	// Written so that NaN is refused too.
	if err != nil || !(seconds >= 0 && seconds <= maxAdvance.Seconds()) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("advance?seconds=N needs a number of seconds from 0 to %.0f, not %q", maxAdvance.Seconds(), r.FormValue("seconds")))
		return
	}
	s.advance(time.Duration(seconds * float64(time.Second)))
	answer(w, map[string]any{"now": s.region.Now()})
}

// serveDeploy starts a deployment of the sample service, or of
// ?application=&deploymentGroup=.
func (s *sample) serveDeploy(w http.ResponseWriter, r *http.Request) {
	application, group := s.service.Application, s.service.DeploymentGroup
	if r.FormValue("application") != "" {
		application = r.FormValue("application")
	}
	if r.FormValue("deploymentGroup") != "" {
		group = r.FormValue("deploymentGroup")
	}
	out, err := s.region.CodeDeploy().CreateDeployment(r.Context(), &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String(application), DeploymentGroupName: aws.String(group),
	})
	if err != nil {
		fail(w, http.StatusConflict, fmt.Sprintf("deploy %s/%s: %v", application, group, err))
		return
	}
	answer(w, map[string]any{"deploymentId": aws.ToString(out.DeploymentId)})
}

func (s *sample) serveState(w http.ResponseWriter, r *http.Request) {
	state, err := s.state(r.Context())
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, state)
}

// serveEvents answers the events that AWS's services have put on the default
// bus since the region began, oldest first, or those after the first ?after=,
// which is next of an earlier answer.
func (s *sample) serveEvents(w http.ResponseWriter, r *http.Request) {
	after, err := afterOf(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	events := s.eventsAfter(after)
	answer(w, map[string]any{"events": events, "next": after + len(events)})
}

// serveMessages answers the messages that have been published to a topic, as
// serveEvents does.
func (s *sample) serveMessages(topic, key string) http.HandlerFunc {
	type message struct {
		Subject string    `json:"subject"`
		Message string    `json:"message"`
		At      time.Time `json:"at"`
	}
	return func(w http.ResponseWriter, r *http.Request) {
		after, err := afterOf(r)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		published := s.region.Topic(topic).Published()
		messages := []message{}
		for _, p := range published[min(after, len(published)):] {
			messages = append(messages, message{p.Subject, p.Message, p.At})
		}
		answer(w, map[string]any{key: messages, "next": after + len(messages)})
	}
}

func afterOf(r *http.Request) (int, error) {
	text := r.FormValue("after")
	if text == "" {
		return 0, nil
	}
	after, err := strconv.Atoi(text)
	if err != nil || after < 0 {
		return 0, fmt.Errorf("?after=N needs the number from next of an earlier answer, not %q", text)
	}
	return after, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // a caller that has gone away needs no answer
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}
