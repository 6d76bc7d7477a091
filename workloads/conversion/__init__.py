"""What executions share that export or convert a model before they run it. A framework is imported only inside."""
