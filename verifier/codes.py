def explain(code):
    return code
