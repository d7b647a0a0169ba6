const two = "ho";
