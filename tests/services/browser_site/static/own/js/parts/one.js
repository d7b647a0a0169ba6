const one = "heave ";
