"""The operator: an engine that would drive any custom resource, and the glue that lets it drive ours."""
