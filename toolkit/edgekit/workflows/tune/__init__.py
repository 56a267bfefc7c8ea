"""``edgekit tune``: the fastest file of a model whose drop is proven to stay within a budget."""
