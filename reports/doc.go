// Package reports turns saved evidence and its verdicts into what people and machines read: a page per scenario, an
// overview of the run, results.json, junit.xml and summary.md; of a run of mutants, the matrix of mutants and checks.
//
// Everything is a function of the files in the run's folder: the clock is never read and maps are always walked in the
// order of their keys, so that rendering the same evidence twice gives the same bytes.
package reports
