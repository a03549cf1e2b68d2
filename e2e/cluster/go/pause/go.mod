module ccf.dev/e2e/cluster/pause

go 1.25.0
