// Package chaos tries Pharos as it runs in earnest: the binary, several hosts as
// real processes, a real Apache Kafka. Hosts are killed, stopped for longer than
// the group waits for them, added and taken away while beacons flow; what comes
// out must be the definition's figures to the last bit. It has tests only; their
// flags (see chaos_test.go) make the form longer: the task chaos of Taskfile.yml.
package chaos
