"""What raters are asked of a case. One module holds one type of task; everybody else is handed a `Task` and asks it."""
