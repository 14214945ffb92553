"""Small Faust apps as Faust's own documentation would have them; each is started as a process and provoked from outside."""
