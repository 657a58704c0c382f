package agent

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// TestMetrics holds what is told of passes, events and sources, and that it ends with the topology.
func TestMetrics(t *testing.T) {
	m := NewMetrics("1.2")
	lab := topo(t, lab)
	begun := time.Unix(1000, 0)
	done := plan.Outcome{Step: plan.Step{Action: plan.Create, Changes: []plan.Change{{New: thing{"a"}}}}, Result: plan.Done}
	m.Passed(Pass{Topology: "lab", Trigger: Heard, Begun: begun, Took: 2 * time.Second, State: Synced, Objects: 9})
	m.Passed(Pass{
		Topology: "lab", Trigger: Retry, Begun: begun.Add(time.Hour), State: Disputed, Objects: 9, Err: errors.New("no"),
		Left: make([]plan.Step, 2), Contested: make([]plan.Key, 1),
	})
	m.Told(Event{What: Healed, Topology: lab, Outcomes: []plan.Outcome{done, done}})
	m.Told(Event{What: Failed, Topology: lab, Err: reconcile.ErrRolledBack})
	m.Fetched(`a"b\c`, nil)
	m.Overrun()
	m.Suspended("lab", begun)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, want := range []string{
		"# TYPE plumb_reconciles_total counter",
		"# TYPE plumb_reconcile_duration_seconds histogram",
		"# TYPE plumb_objects gauge",
		`plumb_reconciles_total{result="success",topology="lab",trigger="change"} 1`,
		`plumb_reconciles_total{result="error",topology="lab",trigger="retry"} 1`,
		`plumb_reconcile_duration_seconds_bucket{topology="lab",le="2.5"} 2`,
		`plumb_reconcile_duration_seconds_count{topology="lab"} 2`,
		`plumb_objects{state="in-sync",topology="lab"} 7`,
		`plumb_objects{state="differs",topology="lab"} 2`,
		`plumb_healed_total{kind="thing",topology="lab"} 2`,
		`plumb_rollbacks_total{topology="lab"} 1`,
		`plumb_contested{topology="lab"} 1`,
		"plumb_overruns_total 1",
		`plumb_source_fetches_total{result="success",source="a\"b\\c"} 1`,
		`plumb_last_success_timestamp_seconds{topology="lab"} 1002`,
		`plumb_suspended_until_timestamp_seconds{topology="lab"} 1000`,
		`plumb_build_info{version="1.2"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	m.Told(Event{What: Left, Topology: lab})
	path := filepath.Join(t.TempDir(), "plumb.prom")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, `"lab"`) || !strings.Contains(text, "plumb_overruns_total 1") {
		t.Errorf("without the topology it tells\n%s", text)
	}
	if err := m.WriteFile(filepath.Join(path, "below")); err == nil {
		t.Error("it writes below a file")
	}
}
