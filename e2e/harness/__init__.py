"""What scenarios and the demo use: kubectl, the members, a client, faults from outside."""
