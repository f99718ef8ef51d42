"""What everything else stands on: problems, fields, numbers, money, times, texts."""
