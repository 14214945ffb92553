"""What you can start: command line, worker, simulator, front-ends, stores, jobs and reports."""
