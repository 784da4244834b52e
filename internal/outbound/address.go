package outbound

import "net/netip"

// IsPublic reports whether an address belongs to the public internet. An
// IPv4-mapped address counts as the IPv4 address. Addresses of translation and
// tunnel mechanisms (NAT64, 6to4, Teredo) are never public.
func IsPublic(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	blocks := reserved4
	if a.Is6() {
		if !global6.Contains(a) {
			return false
		}
		blocks = reserved6
	}
	for _, block := range blocks {
		if block.Contains(a) {
			return false
		}
	}
	return true
}

// reserved4 lists the blocks of IANA's IPv4 Special-Purpose Address Registry
// (RFC 6890) that aren't globally reachable, multicast and class E, and the one
// public address that a cloud provider uses for metadata.
var reserved4 = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host agent
	"169.254.0.0/16",   // link-local, metadata services
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.31.196.0/24",  // AS112
	"192.52.193.0/24",  // AMT
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"192.175.48.0/24",  // AS112
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
)

// global6 contains all global unicast addresses assigned so far (RFC 4291,
// section 2.4). It excludes loopback, link-local, unique local and multicast
// addresses, and NAT64.
var global6 = netip.MustParsePrefix("2000::/3")

var reserved6 = prefixes(
	"2001::/23",         // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}
