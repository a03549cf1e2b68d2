"""From decisions to Kubernetes objects and CCF configuration: data in, manifests out."""
