//go:build !race

package main_test

// raceDetector tells whether the binary under test is built with it, as its tests are.
const raceDetector = false
