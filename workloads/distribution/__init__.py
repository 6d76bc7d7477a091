"""What executions share that run on several processes. A framework is imported only inside."""
