"""FreeSWITCH over the Event Socket (through greenswitch)."""
