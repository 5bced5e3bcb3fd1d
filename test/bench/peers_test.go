package bench

import (
	"testing"

	"deployhooks/test/peers"
)

// TestPeers plays every scenario with nobody, with the functions that others
// publish for the purpose, and with ours, and counts the requests that are not
// answered. Ours may be worse than neither in any of them, and must lose nothing in
// most.
func TestPeers(t *testing.T) {
	lossless := 0
	for _, s := range peers.Scenarios {
		row := peerRow{Name: s.Name, About: s.About}
		for i, p := range []peers.Player{peers.Nobody, peers.SetTargetGroup, peers.LinkGreen, peers.Ours} {
			row.Failed[i] = s.With(p)
		}
		better, ours := min(row.Failed[1], row.Failed[2]), row.Failed[3]
		if ours > better {
			t.Errorf("%s (%s): %d requests are not answered with ours, %d with the better peer", s.Name, s.About, ours, better)
		}
		if ours == 0 {
			lossless++
		}
		peerTable = append(peerTable, row)
		report(figure{"repair.failed." + s.Name, float64(ours), "requests", 0, float64(better)})
	}
	if lossless*2 <= len(peers.Scenarios) {
		t.Errorf("%d of %d scenarios lose no request with ours", lossless, len(peers.Scenarios))
	}
	if testing.Verbose() {
		printPeers()
	}
}
