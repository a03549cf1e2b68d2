"""The Kubernetes side: one gateway to the API server, and views of what it answers."""
