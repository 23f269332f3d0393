// Package sim runs dispatch, session and ship workers on a model of Kafka, one
// step at a time, in an order that a seed chooses: with crashes between any two
// steps, lost answers, rebalances, reloads. What the stores and the topics hold
// in the end must be what package definition says of the input.
//
// It is nothing but tests; docs/testing.md says how to use them.
package sim
