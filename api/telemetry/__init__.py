"""What operators' own monitoring is told of calls as they go."""
