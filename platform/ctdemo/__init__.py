"""Demo content: phantoms, edits and studies made by the product's own services, so that nothing is faked."""
