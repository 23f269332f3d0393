#!/usr/bin/env bash
# Fails, naming the files, where Go sources are not formatted.
files=$(gofmt -l .) && [[ -z $files ]] && exit 0
printf 'not formatted, run gofmt -w on:\n%s\n' "$files" >&2
exit 1
