package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// claimedPort is a TCP port on 127.0.0.1 that no other supervisor will pick.
// The claim is the UDP port of the same number, held until close: programs
// that bind a port themselves can't be handed a listening socket, and the
// kernel frees this claim however the supervisor ends.
type claimedPort struct {
	number int
	claim  net.PacketConn
}

func (p claimedPort) String() string { return fmt.Sprintf("127.0.0.1:%d", p.number) }

func (p claimedPort) close() { _ = p.claim.Close() }

// Below the range from which kernels take the ports of outgoing connections
// (32768 up on Linux), so that no client of the machine can be in the way.
const (
	firstPort = 20000
	lastPort  = 29999
)

// claimPort finds a free port.
func claimPort() (claimedPort, error) {
	for range 200 {
		number := firstPort + rand.IntN(lastPort-firstPort+1)
		address := fmt.Sprintf("127.0.0.1:%d", number)
		claim, err := net.ListenPacket("udp4", address)
		if err != nil {
			continue
		}
		probe, err := net.Listen("tcp4", address)
		if err != nil {
			_ = claim.Close()
			continue
		}
		_ = probe.Close()
		return claimedPort{number: number, claim: claim}, nil
	}
	return claimedPort{}, errors.New("no free port on 127.0.0.1 between 20000 and 29999")
}
