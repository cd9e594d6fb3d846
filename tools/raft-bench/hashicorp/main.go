// Three hashicorp/raft servers in one process, whose logs, snapshots and network are memory, with default options.
// Prints one line of JSON, as packages/raft/bench/run.ts does.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/ioutil"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const dataBytes = 256

// counter is a state machine that only counts, so that what is measured is consensus.
type counter struct{ count int }

func (c *counter) Apply(*raft.Log) interface{} { c.count++; return c.count }

func (c *counter) ApplyBatch(logs []*raft.Log) []interface{} {
	results := make([]interface{}, len(logs))
	for i, log := range logs {
		results[i] = c.Apply(log)
	}
	return results
}

func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return c, nil }
func (c *counter) Persist(sink raft.SnapshotSink) error  { return sink.Close() }
func (c *counter) Release()                              {}
func (c *counter) Restore(from io.ReadCloser) error      { return from.Close() }

// start gives the leader. Nothing is shut down: with these transports that may wait for ever.
func start() *raft.Raft {
	const size = 3
	transports := make([]*raft.InmemTransport, size)
	var members raft.Configuration
	for i := range transports {
		address, transport := raft.NewInmemTransport("")
		transports[i] = transport
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(address), Address: address})
	}
	nodes := make([]*raft.Raft, size)
	for i, transport := range transports {
		for _, other := range transports {
			transport.Connect(other.LocalAddr(), other)
		}
		config := raft.DefaultConfig()
		config.LocalID = members.Servers[i].ID
		config.Logger = hclog.New(&hclog.LoggerOptions{Output: ioutil.Discard, Level: hclog.Error})
		store := raft.NewInmemStore()
		snapshots := raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(config, store, store, snapshots, transport, members); err != nil {
			panic(err)
		}
		node, err := raft.NewRaft(config, &counter{}, store, store, snapshots, transport)
		if err != nil {
			panic(err)
		}
		nodes[i] = node
	}
	for {
		for _, node := range nodes {
			if node.State() == raft.Leader && node.Barrier(time.Second).Error() == nil {
				return node
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// proposeFor lets so many proposers propose, each its next entry when the one before is applied.
func proposeFor(node *raft.Raft, proposers int, duration time.Duration) []time.Duration {
	all := make([][]time.Duration, proposers)
	end := time.Now().Add(duration)
	var done sync.WaitGroup
	for i := range all {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			for began := time.Now(); began.Before(end); {
				if err := node.Apply(make([]byte, dataBytes), 0).Error(); err != nil {
					panic(err)
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(began))
				began = now
			}
		}(i)
	}
	done.Wait()
	var latencies []time.Duration
	for _, some := range all {
		latencies = append(latencies, some...)
	}
	return latencies
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func measure(proposers int, duration time.Duration) {
	leader := start()
	warm := duration / 2
	if warm > time.Second {
		warm = time.Second
	}
	proposeFor(leader, proposers, warm)
	cpuBefore, began := cpu(), time.Now()
	latencies := proposeFor(leader, proposers, duration)
	elapsed, used := time.Since(began), cpu()-cpuBefore
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	at := func(share float64) float64 {
		return float64(latencies[int(share*float64(len(latencies)-1))].Nanoseconds()) / 1e3
	}
	count := float64(len(latencies))
	fmt.Printf("{\"kind\":\"throughput\",\"proposers\":%d,\"perSecond\":%f,\"cpuUs\":%f,\"p50Us\":%f,\"p99Us\":%f}\n",
		proposers, count/elapsed.Seconds(), float64(used.Microseconds())/count, at(0.5), at(0.99))
}

func main() {
	seconds := flag.Float64("seconds", 3, "how long is measured, after as long or a second to warm up")
	proposers := flag.Int("proposers", 64, "how many propose at a time")
	flag.Parse()
	measure(*proposers, time.Duration(*seconds*float64(time.Second)))
}
