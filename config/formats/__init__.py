"""How dates are written per language: short, without a doubt which number is the day."""
