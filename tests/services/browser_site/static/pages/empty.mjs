// What an import map gives for a style sheet that a module imports.
