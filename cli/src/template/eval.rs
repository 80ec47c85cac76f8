//! Nodes and a value → text.

use serde_json::Value;

use super::function::{self, text, truth};
use super::{Base, Call, Node, Operand, Pipeline, Range, TemplateError};

pub(super) fn render(nodes: &[Node], value: &Value) -> Result<String, TemplateError> {
    let mut scope = Scope { variables: vec![(String::new(), value.clone())], out: String::new() };
    scope.nodes(nodes, value)?;
    Ok(scope.out)
}

/// Variables that are set, innermost last (`$` is the first), and the text so far.
struct Scope {
    variables: Vec<(String, Value)>,
    out: String,
}

impl Scope {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        nodes.iter().try_for_each(|node| self.node(node, dot))
    }

    /// Variables set inside end with the block.
    fn block(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        let outer = self.variables.len();
        self.nodes(nodes, dot)?;
        self.variables.truncate(outer);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), TemplateError> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.out.push_str(&text(&value));
            }
            Node::Assign(name, pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.variables.push((name.clone(), value));
            }
            Node::If(condition, then, otherwise) => {
                let branch = if truth(&self.pipeline(condition, dot)?) { then } else { otherwise };
                self.block(branch, dot)?;
            }
            Node::With(pipeline, then, otherwise) => match self.pipeline(pipeline, dot)? {
                value if truth(&value) => self.block(then, &value)?,
                _ => self.block(otherwise, dot)?,
            },
            Node::Range(range) => self.range(range, dot)?,
        }
        Ok(())
    }

    fn range(&mut self, range: &Range, dot: &Value) -> Result<(), TemplateError> {
        let elements: Vec<(Value, Value)> = match self.pipeline(&range.over, dot)? {
            Value::Array(items) => {
                items.into_iter().enumerate().map(|(at, item)| (at.into(), item)).collect()
            }
            Value::Object(members) => members.into_iter().map(|(key, item)| (key.into(), item)).collect(),
            Value::Null => Vec::new(),
            other => return Err(function::unfit("range", &other)),
        };
        if elements.is_empty() {
            return self.block(&range.otherwise, dot);
        }
        for (key, element) in elements {
            let outer = self.variables.len();
            if let Some(name) = &range.key {
                self.variables.push((name.clone(), key));
            }
            if let Some(name) = &range.element {
                self.variables.push((name.clone(), element.clone()));
            }
            self.nodes(&range.body, &element)?;
            self.variables.truncate(outer);
        }
        Ok(())
    }

    fn pipeline(&self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut result = None;
        for call in pipeline {
            result = Some(self.call(call, result, dot)?);
        }
        result.ok_or(TemplateError::Incomplete)
    }

    fn call(&self, call: &Call, piped: Option<Value>, dot: &Value) -> Result<Value, TemplateError> {
        let (first, rest) = call.split_first().ok_or(TemplateError::Incomplete)?;
        let Operand::Function(name) = first else {
            return match rest.is_empty() && piped.is_none() {
                true => self.operand(first, dot),
                false => Err(TemplateError::Unexpected("an argument to a value".to_owned())),
            };
        };
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(piped);
        function::call(name, &arguments)
    }

    fn operand(&self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        match operand {
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Function(name) => function::call(name, &[]),
            Operand::Path(Base::Dot, path) => walk(dot, path),
            Operand::Path(Base::Paren(pipeline), path) => walk(&self.pipeline(pipeline, dot)?, path),
            Operand::Path(Base::Variable(name), path) => {
                let found = match name.is_empty() {
                    true => self.variables.first(),
                    false => self.variables.iter().rev().find(|(known, _)| known == name),
                };
                let (_, value) = found.ok_or_else(|| TemplateError::NoVariable(name.clone()))?;
                walk(value, path)
            }
        }
    }
}

/// Below the top, a member that is not there is empty: configs leave out what is not set.
fn walk(value: &Value, path: &[String]) -> Result<Value, TemplateError> {
    let Some((first, rest)) = path.split_first() else { return Ok(value.clone()) };
    let Value::Object(members) = value else {
        return Err(TemplateError::NoField { name: first.clone(), known: "none".to_owned() });
    };
    let Some(mut at) = members.get(first) else {
        let known: Vec<&str> = members.keys().map(String::as_str).collect();
        return Err(TemplateError::NoField { name: first.clone(), known: known.join(", ") });
    };
    for name in rest {
        at = match at {
            Value::Object(members) => members.get(name).unwrap_or(&Value::Null),
            _ => &Value::Null,
        };
    }
    Ok(at.clone())
}
